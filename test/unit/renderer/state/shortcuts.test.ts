import { describe, expect, test } from 'vitest';
import { COMMANDS } from '../../../../shared/commands.ts';
import { VIEWS } from '../../../../shared/views.ts';
import { CHOICES, choiceOfKey, shownKeys } from '../../../../renderer/state/shortcuts.ts';

const NO_KEY = { ctrlKey: false, metaKey: false, shiftKey: false, altKey: false };

describe('the table of shortcuts', () => {
  test('gives no key to two of them', () => {
    const keys = CHOICES.flatMap((choice) => shownKeys(choice, false));
    expect(keys.filter((key, at) => keys.indexOf(key) !== at)).toEqual([]);
  });

  test('has every command and every view, each under a title of its own', () => {
    expect(CHOICES).toHaveLength(COMMANDS.length + VIEWS.length);
    expect(new Set(CHOICES.map(({ title }) => title)).size).toBe(CHOICES.length);
  });
});

describe('a key', () => {
  test('asks for what the menu shows beside it: Ctrl on Linux and Windows, Cmd on macOS', () => {
    const open = { kind: 'command', name: 'open' };
    expect(choiceOfKey({ ...NO_KEY, key: 'o', ctrlKey: true }, false, false)).toEqual(open);
    expect(choiceOfKey({ ...NO_KEY, key: 'o', metaKey: true }, true, false)).toEqual(open);
    expect(choiceOfKey({ ...NO_KEY, key: 'o', metaKey: true }, false, false)).toBeNull();
    expect(choiceOfKey({ ...NO_KEY, key: 'o', ctrlKey: true }, true, false)).toBeNull();
  });

  test('with Shift asks for another command than without', () => {
    const redo = choiceOfKey({ ...NO_KEY, key: 'Z', ctrlKey: true, shiftKey: true }, false, false);
    expect(redo).toEqual({ kind: 'command', name: 'redo' });
    const undo = choiceOfKey({ ...NO_KEY, key: 'z', ctrlKey: true }, false, false);
    expect(undo).toEqual({ kind: 'command', name: 'undo' });
  });

  test('shows the view of its number', () => {
    const view = choiceOfKey({ ...NO_KEY, key: '2', ctrlKey: true }, false, false);
    expect(view).toEqual({ kind: 'view', name: 'compare' });
  });

  test('types ? in a text field, and asks for the shortcuts elsewhere', () => {
    const question = { ...NO_KEY, key: '?', shiftKey: true };
    expect(choiceOfKey(question, false, true)).toBeNull();
    expect(choiceOfKey(question, false, false)).toEqual({ kind: 'command', name: 'shortcuts' });
    expect(choiceOfKey({ ...NO_KEY, key: 'F1' }, false, true)).toMatchObject({ name: 'shortcuts' });
  });

  test('is written as each system writes it', () => {
    const redo = CHOICES.find(({ choice }) => choice.name === 'redo')!;
    expect(shownKeys(redo, false)).toEqual(['Ctrl+Shift+Z']);
    expect(shownKeys(redo, true)).toEqual(['⇧⌘Z']);
  });
});
