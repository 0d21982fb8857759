import { SecretsError } from '../errors';
import { errorCode } from '../internal/describe-error';

const ADVICE: Readonly<Record<string, string>> = {
  ENOSPC: 'Raise fs.inotify.max_user_watches on the node.',
  EMFILE: 'Raise fs.inotify.max_user_instances on the node, or the limit of open files.',
};

export function watchUnavailable(root: string, error: unknown): SecretsError {
  const code = errorCode(error) ?? 'unknown error';
  return new SecretsError(
    'WATCH_UNAVAILABLE',
    `${root} cannot be watched (${code}); rotations are found by polling`,
    {
      source: 'mounted-files',
      next: ADVICE[code] ?? 'Lower pollIntervalMs if that is too slow.',
    },
  );
}
