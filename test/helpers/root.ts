/** The repository: every runner of ours is started there. */
export const root = process.cwd();
