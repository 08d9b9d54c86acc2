/** A WebAssembly file in the bundle, as a data: URL of base64 (Vite's ?inline). */
declare module '*.wasm?url&inline' {
  const url: string;
  export default url;
}
