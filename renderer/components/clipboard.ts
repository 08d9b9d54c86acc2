/**
 * Puts text on the clipboard, within a click or a key press.
 * By the copy command, as the asynchronous clipboard needs a permission and the shell grants none.
 */
export function copyText(text: string): boolean {
  const fill = (event: ClipboardEvent): void => {
    event.clipboardData?.setData('text/plain', text);
    event.preventDefault();
  };
  document.addEventListener('copy', fill, { once: true });
  try {
    return document.execCommand('copy');
  } finally {
    document.removeEventListener('copy', fill);
  }
}
