import { mountedFiles, SecretStore } from '../../src/index';

/** Opens the mount of the first argument as a user without rights, and prints the error. */
const [path = ''] = process.argv.slice(2);
process.setgid?.(65534);
process.setuid?.(65534);
SecretStore.open({ secrets: { one: 'one' }, sources: [mountedFiles(path)] }).catch(({ code, message }) => {
  console.log(JSON.stringify({ code, message }));
});
