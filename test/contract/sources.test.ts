import {
  createTestMount,
  type SourceHarness,
  type SourceUnderTest,
  sourceContract,
  type TestMountLayout,
} from 'hot-secrets/testing';
import { describe, it } from 'vitest';
import { environmentName } from '../../src/secret/lookup';
import { environment } from '../../src/sources/environment';
import { memory } from '../../src/sources/memory';
import { mountedFiles } from '../../src/sources/mounted-files/mounted-files';

const LIMIT = 1000;

function mounted(layout: TestMountLayout, rename = false): SourceHarness {
  return {
    async create(values) {
      const mount = await createTestMount(values, { layout });
      return {
        source: mountedFiles(mount.path, { maxFileBytes: LIMIT }),
        set: (changes) => mount.rotate(changes, { rename }),
        remove: (...names) => mount.remove(...names),
        failOne: (name) => mount.rotate({ [name]: 'contract-marker-value'.repeat(LIMIT) }),
        failAll: () => mount.destroy(),
        cleanup: () => mount.cleanup(),
      };
    },
  };
}

const variables: SourceHarness = {
  binary: false,
  lists: false,
  create(values): SourceUnderTest {
    const bag: Record<string, string> = {};
    const set: SourceUnderTest['set'] = (changes) => {
      for (const [name, value] of Object.entries(changes)) bag[environmentName(name)] = String(value);
    };
    set(values);
    return {
      source: environment(bag),
      set,
      remove(...names) {
        for (const name of names) delete bag[environmentName(name)];
      },
    };
  },
};

const inMemory: SourceHarness = {
  create(values) {
    const source = memory(values);
    return {
      source,
      set: (changes) => source.set(changes),
      remove: (...names) => source.set(Object.fromEntries(names.map((name) => [name, undefined]))),
    };
  },
};

describe.each([
  ['mountedFiles, Kubernetes layout', mounted('kubernetes')],
  ['mountedFiles, plain files written in place', mounted('plain')],
  ['mountedFiles, plain files replaced by rename', mounted('plain', true)],
  ['environment', variables],
  ['memory', inMemory],
])('%s', (_, harness) => {
  for (const one of sourceContract(harness)) it(one.name, one.run);
});
