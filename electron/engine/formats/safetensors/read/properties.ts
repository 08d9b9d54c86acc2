import {
  factsOf,
  listed,
  shownText,
  type ModelProperties,
} from '../../../../../shared/properties.ts';
import { shortName } from '../../../../../shared/short-name.ts';
import type { ShardIndex } from './read-index.ts';
import type { Header } from './read-header.ts';

const NONE = { shown: [], count: 0 };

/** What a checkpoint says of itself: the metadata of its header, or of its index and first shard. */
export function readProperties(
  producer: string,
  headers: readonly Header[],
  index: ShardIndex | null,
): ModelProperties {
  const entries = [...(index?.metadata ?? []), ...(headers[0]?.metadata ?? [])];
  return {
    facts: factsOf({
      Producer: shownText(producer),
      Shards: index === null ? '' : String(headers.length),
    }),
    opsets: [],
    inputs: NONE,
    outputs: NONE,
    signatures: NONE,
    metadata: listed(entries, ([name, text]) => ({
      name: shortName(name),
      text: shownText(text),
    })),
  };
}
