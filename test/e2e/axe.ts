import { source, type ElementContext, type RunOptions } from 'axe-core';
import type { Page } from '@playwright/test';

interface Axe {
  run(
    context: ElementContext,
    options: RunOptions,
  ): Promise<{
    readonly violations: readonly {
      readonly id: string;
      readonly nodes: readonly { readonly target: readonly unknown[] }[];
    }[];
  }>;
}

/** A part of the page by its selector, and the only rules to run, where not all of both are meant. */
export interface Checked {
  readonly part?: string;
  readonly rules?: string[];
}

/**
 * What axe-core finds wrong with the page as it stands, by rule and place. Its source is loaded once for each load of the
 * page, and it describes no element that passes: both took longer than most rules.
 */
export async function violations(page: Page, { part, rules }: Checked = {}): Promise<string[]> {
  if (!(await page.evaluate(() => 'axe' in window))) await page.evaluate(source);
  const options: RunOptions = {
    resultTypes: ['violations'],
    ...(rules === undefined ? {} : { runOnly: { type: 'rule', values: rules } }),
  };
  return page.evaluate(
    async ([context, given]) => {
      const { axe } = window as unknown as { axe: Axe };
      const { violations: found } = await axe.run(context, given);
      return found.flatMap(({ id, nodes }) =>
        nodes.map(({ target }) => `${id}: ${target.join(' ')}`),
      );
    },
    [part ?? 'html', options] as const,
  );
}
