/** Tests of pg-pool that fail with `createPool` by design, with the reason. `docs/postgresql.md` lists the same. */
export const BY_DESIGN: Readonly<Record<string, string>> = {
  'Connection strings pool delegates connectionString property to client':
    'The pool parses the string, so that the other options of the recipe override it. Clients get the result.',
  'pool error handling using an ended pool rejects all additional promises': 'end() may be called twice.',
  'pool error handling using an ended pool returns an error on all additional callbacks':
    'end() may be called twice.',
};

/** Tests that do not count, with the reason. `newer.suite.ts` has a better version of each. */
export const NOT_COUNTED: Readonly<Record<string, string>> = {
  'idle timeout times out and removes clients when others are also removed':
    'It mistakes one removal for another, with either pool. pg-pool has corrected it since.',
  'events emits acquire every time a client is acquired':
    'It expects ten logins within 100 ms, which takes a fast machine.',
};
