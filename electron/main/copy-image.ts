import { clipboard, ClipboardItem, nativeImage, type NativeImage } from 'electron';

/** The clipboard of Electron before 45, which has no items but a call for images. */
interface OlderClipboard {
  writeImage?(image: NativeImage): void;
}

/** Put a PNG on the system's clipboard. */
export async function copyImage(png: Uint8Array): Promise<void> {
  const older = clipboard as OlderClipboard;
  if (older.writeImage !== undefined)
    older.writeImage(nativeImage.createFromBuffer(Buffer.from(png)));
  else
    await clipboard.write([
      new ClipboardItem({ 'image/png': new Blob([Uint8Array.from(png)], { type: 'image/png' }) }),
    ]);
}
