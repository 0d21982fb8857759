const OTHER = 65_534;

/** Whether a test can run as a user to whom file permissions apply. */
export const canDropPrivileges = process.platform !== 'win32';

/** The user that `asOtherUser` runs as. */
export const otherUser = process.geteuid?.() === 0 ? OTHER : (process.geteuid?.() ?? 0);

/** Runs `work` as a user without privileges, so that file permissions apply to it. */
export async function asOtherUser<T>(work: () => Promise<T>): Promise<T> {
  if (process.geteuid?.() !== 0) return work();
  process.setegid?.(OTHER);
  process.seteuid?.(OTHER);
  try {
    return await work();
  } finally {
    process.seteuid?.(0);
    process.setegid?.(0);
  }
}
