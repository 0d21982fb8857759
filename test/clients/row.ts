// node --import tsx row.ts NAME: measures one row and prints its figures, or why it was skipped, as the last line.
import { findProgram } from '../support/debian-server';
import { measure, type Row } from './measure';

const { row } = (await import(`./rows/${process.argv[2]}.ts`)) as { readonly row: Row };
const [debianPackage, program] = row.needs ?? [];
const missing = program !== undefined && findProgram(program) === undefined;
const result = missing
  ? { skipped: `${program} is not installed: apt-get install --no-install-recommends ${debianPackage}` }
  : await measure(row);
process.stdout.write(`\n${JSON.stringify(result)}\n`);
process.exit(0);
