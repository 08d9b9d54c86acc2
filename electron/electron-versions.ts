import { clipboard, ClipboardItem, nativeImage, webUtils, type NativeImage } from 'electron';

/*
 * Every call that differs between Electron 25, on which machines without the download test, and the
 * supported Electron, whose type definitions this file is checked with. What is called elsewhere is the
 * same in both.
 *
 * | call                     | Electron 25                | since                                    |
 * |--------------------------|----------------------------|------------------------------------------|
 * | path of a dropped file   | `path` of the File         | 29: webUtils.getPathForFile; 32: no path |
 * | image to the clipboard   | clipboard.writeImage       | 45: clipboard.write of a ClipboardItem   |
 */

/** Where a dropped file is; empty for a file that is not on a disk. Preload only. */
export function pathOfFile(file: File): string {
  const utilities = webUtils as typeof webUtils | undefined;
  if (utilities?.getPathForFile !== undefined) return utilities.getPathForFile(file);
  return (file as File & { path?: string }).path ?? '';
}

interface OlderClipboard {
  writeImage?(image: NativeImage): void;
}

/** Put a PNG on the system's clipboard. Main only. */
export async function copyImage(png: Uint8Array): Promise<void> {
  const older = clipboard as OlderClipboard;
  if (older.writeImage !== undefined)
    older.writeImage(nativeImage.createFromBuffer(Buffer.from(png)));
  else
    await clipboard.write([
      new ClipboardItem({ 'image/png': new Blob([Uint8Array.from(png)], { type: 'image/png' }) }),
    ]);
}
