import { isSecretsError } from '../errors';
import { describeError, errorCode } from '../internal/describe-error';
import { ownPackage } from '../internal/own-file';
import { doctor } from './doctor';
import { type Output, printable, status, UsageError } from './output';
import { report } from './report';
import { watch } from './watch';

const HELP = `hot-secrets: finds out what is wrong with the secrets of a service, and follows them.

Usage: hot-secrets <command> [options]

  doctor   says what is wrong with the secrets of this process, and how to fix it; with paths, what is wrong in Kubernetes
           manifests: hot-secrets doctor manifests/, or helm template . | hot-secrets doctor -
  watch    prints every rotation and problem as it happens, until it is interrupted
  report   says which source serves each secret, and what the migration still needs

Options of all commands:
  --mount PATH           a mount, instead of $SECRETS_PATH or the mounts of platforms; may be repeated
  --store FILE           a module of your service that exports \`store\` (a SecretStore, a promise of one, or a function that
                         opens one) or \`options\` (those of SecretStore.open)
  --json                 prints JSON; for watch, one object a line
  --help, --version

Options of doctor:
  --vault NAME           sends requests to this Key Vault, with the identity of this process; a name or an address
  --expect-rotation DAYS warns of files that are older
  --sarif                prints SARIF 2.1.0
  --fail-on LEVEL        error or warning: the level from which the status is not 0. Default: warning
  --no-live-test         does not test watching in a temporary directory

Status: 0 nothing to fix, 1 warnings (report: the migration is not done), 2 errors, 64 wrong arguments.
No command prints a value.
`;

const COMMANDS: Readonly<Record<string, (args: string[], output: Output) => Promise<number>>> = {
  doctor,
  watch,
  report,
};

/** Runs a command. Resolves with the status of the process, and never rejects. */
export async function main(args: readonly string[], output: Output): Promise<number> {
  const [name, ...rest] = args;
  if (
    name === undefined ||
    name === '--help' ||
    name === '-h' ||
    name === 'help' ||
    rest.includes('--help')
  ) {
    const wanted = name !== undefined;
    if (wanted) output.write(HELP);
    else output.writeError(HELP);
    return wanted ? status.ok : status.usage;
  }
  if (name === '--version' || name === '-v') {
    output.write(`${ownPackage()?.version ?? 'unknown'}\n`);
    return status.ok;
  }
  const command = Object.hasOwn(COMMANDS, name) ? COMMANDS[name] : undefined;
  if (command === undefined) {
    output.writeError(`hot-secrets: unknown command "${printable(name)}".\n\n${HELP}`);
    return status.usage;
  }
  try {
    return await command(rest, output);
  } catch (error) {
    const usage = error instanceof UsageError || errorCode(error)?.startsWith('ERR_PARSE_ARGS') === true;
    const message = usage || isSecretsError(error) ? (error as Error).message : describeError(error);
    const help = usage ? '\nSee: hot-secrets --help' : '';
    output.writeError(`hot-secrets ${name}: ${printable(message)}${help}\n`);
    return usage ? status.usage : status.failed;
  }
}
