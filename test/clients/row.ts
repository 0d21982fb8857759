// node --import tsx row.ts NAME: measures one row and prints its figures as the last line.
import { measure, type Row } from './measure';

const { row } = (await import(`./rows/${process.argv[2]}.ts`)) as { readonly row: Row };
const figures = await measure(row);
process.stdout.write(`\n${JSON.stringify(figures)}\n`);
process.exit(0);
