import type { ErrorData } from '../../shared/errors.ts';
import { ENGINE_PORT_MESSAGE, type PageApi } from '../../shared/ipc.ts';
import { valueOf } from './call.ts';
import type { EngineClient } from './engine-client.ts';

/** The page's way to the engine: its port, which comes anew whenever an engine is started. */
export class EngineLink {
  readonly #api: PageApi;
  readonly #client: EngineClient;
  #connecting: Promise<void> | null = null;
  /** What waits for the port goes on. */
  #attached: () => void = () => {};
  #reached: () => void = () => {};
  /** Settles when an engine is reached for the first time: files may be handed over before. */
  readonly #first = new Promise<void>((resolve) => {
    this.#reached = resolve;
  });
  /** How often the engine ended. */
  losses = 0;

  constructor(api: PageApi, client: EngineClient) {
    this.#api = api;
    this.#client = client;
  }

  /**
   * Take ports as they come, and reach the engine.
   * @param restored settles when files that are handed over may be opened
   * @throws AppError
   */
  async start(restored: Promise<void>): Promise<void> {
    window.addEventListener('message', (event: MessageEvent<unknown>) => {
      const [port] = event.ports;
      if (event.source !== window || event.data !== ENGINE_PORT_MESSAGE || port === undefined)
        return;
      this.#client.attach(port);
      this.#attached();
    });
    await Promise.all([restored, this.connect()]);
    this.#reached();
  }

  /** Settles when the engine's port has come. Whoever asks meanwhile waits for the same port. @throws AppError */
  connect(): Promise<void> {
    this.#connecting ??= this.#reach().finally(() => (this.#connecting = null));
    return this.#connecting;
  }

  async #reach(): Promise<void> {
    const attached = new Promise<void>((resolve) => {
      this.#attached = resolve;
    });
    await valueOf(this.#api.connectEngine());
    await attached;
  }

  /** Settles when requests can be made, as soon as the page has started. @throws AppError */
  async ready(): Promise<void> {
    await this.#first;
    if (!this.#client.connected) await this.connect();
  }

  /** The engine ended: what waits for it fails. */
  lose(error: ErrorData): void {
    this.losses++;
    this.#client.lose(error);
  }
}
