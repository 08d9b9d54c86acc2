import {
  factsOf,
  listed,
  NO_PROPERTIES,
  shownText,
  type ModelProperties,
} from '../../../../../shared/properties.ts';
import { shortName } from '../../../../../shared/short-name.ts';
import type { ShardIndex } from './read-index.ts';
import type { Header } from './read-header.ts';

/** What a checkpoint says of itself: the metadata of its header, or of its index and first shard. */
export function readProperties(
  producer: string,
  headers: readonly Header[],
  index: ShardIndex | null,
): ModelProperties {
  const entries = [...(index?.metadata ?? []), ...(headers[0]?.metadata ?? [])];
  return {
    ...NO_PROPERTIES,
    facts: factsOf({
      Producer: shownText(producer),
      Shards: index === null ? '' : String(headers.length),
    }),
    metadata: listed(entries, ([name, text]) => ({
      name: shortName(name),
      text: shownText(text),
    })),
  };
}
