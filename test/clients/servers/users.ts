import { timingSafeEqual } from 'node:crypto';

/** The users of a server that runs in this process, and the logins that it refused. */
export function startUsers() {
  const passwords = new Map<string, string>();
  let refused = 0;
  return {
    async changePassword(user: string, password: string): Promise<void> {
      passwords.set(user, password);
    },
    refused: () => refused,
    /** True if the password is that of the user, or of any user if none is given. Counts a refusal. */
    accepts(password: string, user?: string): boolean {
      const known = user === undefined ? [...passwords.values()] : [passwords.get(user) ?? ''];
      const accepted = known.some((one) => equal(one, password));
      if (!accepted) refused += 1;
      return accepted;
    },
  };
}

function equal(a: string, b: string): boolean {
  const [left, right] = [Buffer.from(a), Buffer.from(b)];
  return left.length === right.length && timingSafeEqual(left, right);
}
