export function toIco(pngs: ReadonlyMap<number, Uint8Array>): Uint8Array;
export function toIcns(pngs: ReadonlyMap<number, Uint8Array>): Uint8Array;
