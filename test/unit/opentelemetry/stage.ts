import { memory, SecretStore, SecretsError } from 'hot-secrets';
import { onTestFinished } from 'vitest';

/** A store that refreshes only on request, with a source that a test can break. */
export async function stage(name = 'shop') {
  const content = memory({ user: 'user-first', password: 'leak-marker-0' });
  let broken = false;
  const secrets = await SecretStore.open({
    name,
    secrets: { user: 'user', password: 'password' },
    sources: [
      {
        ...content,
        watch: () => () => {},
        async read(request) {
          if (broken) throw new SecretsError('SOURCE_FAILED', 'the source is out of reach');
          return content.read(request);
        },
      },
    ],
  });
  onTestFinished(() => secrets.close());
  return {
    secrets,
    /** What the next refresh will find. */
    write: (values: Record<string, string>) => content.set(values),
    async rotate(values: Record<string, string>, trigger = 'refresh') {
      content.set(values);
      await secrets.refresh({ trigger });
    },
    async refresh(how: 'broken' | 'working') {
      broken = how === 'broken';
      await secrets.refresh();
    },
  };
}
