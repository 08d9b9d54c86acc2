import { AppError } from '../../shared/errors.ts';
import type { Port } from '../../electron/engine/port.ts';
import type { EngineServer } from '../../electron/engine/server.ts';
import type { FromEngine, RequestKind, Requests } from '../../shared/protocol.ts';

/** A page's end of a port, kept to what the protocol says. */
export class Page {
  readonly messages: FromEngine[] = [];
  private listener: (message: unknown) => void = () => undefined;
  private readonly waiting = new Map<number, (message: FromEngine) => void>();
  private next = 0;

  constructor(server: EngineServer) {
    const port: Port = {
      post: (message) => {
        this.messages.push(message);
        if (message.type === 'reply' || message.type === 'error')
          this.waiting.get(message.id)?.(message);
      },
      onMessage: (listener) => {
        this.listener = listener;
      },
    };
    server.connect(port);
  }

  request<K extends RequestKind>(
    kind: K,
    params: Requests[K]['params'],
  ): { id: number; answer: Promise<FromEngine> } {
    const id = this.next++;
    const answer = new Promise<FromEngine>((resolve) => {
      this.waiting.set(id, resolve);
    });
    this.listener({ type: 'request', id, kind, params });
    return { id, answer };
  }

  /** The answer's result. @throws the error that the engine answered with */
  async ask<K extends RequestKind>(
    kind: K,
    params: Requests[K]['params'],
  ): Promise<Requests[K]['reply']> {
    const message = await this.request(kind, params).answer;
    if (message.type === 'reply') return message.result;
    throw message.type === 'error' ? AppError.fromData(message.error) : new Error(message.type);
  }

  cancel(id: number): void {
    this.listener({ type: 'cancel', id });
  }
}
