export function buildScripts(
  outDir: string,
  scripts: Readonly<Record<string, string>>,
): Promise<void>;
