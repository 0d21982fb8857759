// Crashes while a store is open, in the way that the last argument names. It prints what a program may print.
import { environment, memory, rotating, SecretStore, secret } from 'hot-secrets';

const [, , way] = process.argv;
const value = process.env.LEAKS_ONE as string;
const source = memory({ pair: `${value}\0` });
const secrets = await SecretStore.open({
  secrets: { one: secret.text('one', { env: 'LEAKS_ONE' }) },
  sources: [environment()],
});
console.log(
  'store %o',
  secrets,
  secrets.snapshot(),
  [secrets.get('one')],
  secrets.report(),
  secrets.health(),
);
console.error(secrets.get('one'), `${secrets.get('one')}`, JSON.stringify(secrets));

switch (way) {
  case 'open':
    await SecretStore.open({ secrets: { pair: secret.text('pair') }, sources: [source] });
    break;
  case 'unknown name':
    secrets.reveal('two' as never);
    break;
  case 'rejection':
    void SecretStore.open({ secrets: { pair: secret.json('pair') }, sources: [source] });
    break;
  case 'thrown box':
    throw secrets.get('one');
  case 'thrown snapshot':
    throw secrets.snapshot();
  case 'resource': {
    const resource = rotating(
      secrets,
      {
        build(s) {
          throw new Error(`build ${s.reveal('one')}`);
        },
      },
      { readyTimeoutMs: 100, retryBaseMs: 10 },
    );
    await resource.ready;
    break;
  }
  case 'closed':
    await secrets.close();
    secrets.reveal('one');
    break;
  default:
    throw new Error('Unknown way to crash.');
}
// A rejection that nothing handles ends the process meanwhile.
await new Promise((resolve) => setTimeout(resolve, 1000));
