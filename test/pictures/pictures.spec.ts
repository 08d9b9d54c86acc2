import * as path from 'node:path';
import { DETECTOR, figuresSettle, test, type App } from '../e2e/app.ts';
import { root } from '../helpers/root.ts';

/** What README shows; the other pictures are for whoever changes the page. */
const README_PICTURE = path.join(root, 'build/pictures/layers.png');
/** Views that the guide shows, in light and dark; none that shows a folder of this machine. */
const GUIDE = path.join(root, 'docs/guide/pictures');
const IN_GUIDE = ['layers', 'compare', 'budget'];
const FOLDER = path.join(root, 'test-results/pictures');

const SIZES = [
  [1280, 800],
  [1024, 640],
] as const;

async function shoot({ electron, page }: App, name: string): Promise<void> {
  for (const [width, height] of SIZES)
    for (const theme of ['light', 'dark'] as const) {
      await electron.evaluate(
        ({ BrowserWindow, nativeTheme }, [wide, high, source]) => {
          nativeTheme.themeSource = source;
          BrowserWindow.getAllWindows()[0]!.setContentSize(wide, high);
        },
        [width, height, theme] as const,
      );
      // The table is laid out anew, and colours change over a moment.
      await page.waitForTimeout(600);
      const isReadmes = name === 'layers' && width === 1280 && theme === 'light';
      const file = path.join(FOLDER, `${name}-${width}-${theme}.png`);
      await page.screenshot({ path: isReadmes ? README_PICTURE : file });
      if (width === 1280 && IN_GUIDE.includes(name))
        await page.screenshot({ path: path.join(GUIDE, `${name}-${theme}.png`) });
    }
}

test('every view in both sizes and themes', async ({ launch }) => {
  const app = await launch([DETECTOR]);
  const { page } = app;
  await figuresSettle(app);
  await shoot(app, 'layers');
  for (const view of ['Compare', 'Budget', 'Run', 'Formats']) {
    await page.getByRole('button', { name: view, exact: true }).click();
    await page.waitForTimeout(view === 'Budget' || view === 'Compare' ? 8000 : 1000);
    await shoot(app, view.toLowerCase());
  }
  await page.getByRole('button', { name: 'Layers', exact: true }).click();
  await page.getByRole('button', { name: 'Export…' }).click();
  await page.waitForTimeout(1500);
  await shoot(app, 'export');
});
