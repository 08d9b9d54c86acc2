/** Put in by the build from package.json. */
declare const __APP_VERSION__: string;

/** The version that exports are marked with. */
export const TOOL_VERSION: string = __APP_VERSION__;
