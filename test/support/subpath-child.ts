import { mountedFiles, SecretStore } from '../../src/index';

// Opens a store on a directory with a bind-mounted file, and prints its warnings and problems.
const codes: (string | undefined)[] = [];
process.on('warning', (warning) => codes.push((warning as NodeJS.ErrnoException).code));
const store = await SecretStore.open({
  secrets: { token: 'token' },
  sources: [mountedFiles(process.argv[2] as string)],
});
await new Promise(setImmediate);
const problems = store.report().sources[0]?.problems ?? [];
process.stdout.write(
  JSON.stringify({ value: store.reveal('token'), status: store.health().status, codes, problems }),
);
await store.close();
