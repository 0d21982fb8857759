import { pathToFileURL } from 'node:url';
import { describe, expect, it } from 'vitest';
import { type MountedFilesOptions, mountedFiles } from '../../../../src/sources/mounted-files/mounted-files';

function thrownBy(call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  throw new Error('Nothing was thrown.');
}

describe('mountedFiles', () => {
  it.each([
    ['', 'an empty string'],
    [undefined, 'undefined'],
    [null, 'null'],
    [7, 'that number'],
    [['/mnt'], 'an array'],
  ])('refuses the mount path %o, and shows how to pass one', (path, kind) => {
    expect(thrownBy(() => mountedFiles(path as string))).toMatchObject({
      code: 'OPTION_INVALID',
      message: `mountedFiles: the path must be a non-empty string, not ${kind}. Pass the directory with the secret files: mountedFiles('/mnt/secrets-store').`,
    });
  });

  it('refuses a URL as the mount path, and shows how to convert it', () => {
    expect(thrownBy(() => mountedFiles(pathToFileURL('/mnt') as unknown as string))).toMatchObject({
      code: 'OPTION_INVALID',
      next: 'Pass fileURLToPath(url); import it from node:url.',
    });
  });

  it.each<[keyof MountedFilesOptions, unknown, string]>([
    ['waitForMountMs', -1, 'a duration in milliseconds, 0 or more, not that number'],
    ['pollIntervalMs', 9, 'a duration in milliseconds, 10 or more, not that number'],
    ['pollIntervalMs', Number.NaN, 'a duration in milliseconds, 10 or more, not NaN'],
    ['maxFileBytes', 0, 'a size in bytes, 1 or more, not that number'],
    ['optional', 'yes', 'true or false, not a string'],
  ])('names the mount, the unit and the bound when the option %s is %s', (option, value, mustBe) => {
    const error = thrownBy(() => mountedFiles('/mnt/a', { [option]: value }));
    expect(error).toMatchObject({ code: 'OPTION_INVALID' });
    expect(String(error)).toContain(`mountedFiles("/mnt/a"): \`${option}\` must be ${mustBe}.`);
  });

  it('suggests the right spelling of a misspelt mount option', () => {
    const options = { pollIntervallMs: 50 } as MountedFilesOptions;
    expect(thrownBy(() => mountedFiles('/mnt/a', options))).toMatchObject({
      code: 'OPTION_UNKNOWN',
      next: 'Did you mean "pollIntervalMs"?',
    });
  });

  it('refuses mount options that are not an object', () => {
    expect(thrownBy(() => mountedFiles('/mnt/a', 50 as MountedFilesOptions))).toMatchObject({
      code: 'OPTION_INVALID',
    });
  });
});
