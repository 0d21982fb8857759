// npm run test:clients -- [names of rows] [--json]
import { parseArgs } from 'node:util';
import { checkTypes, installClients } from './install';
import { rowNames } from './rows';
import { HEADING, type RowResult, renderRow, runRow } from './run';

const { values: options, positionals } = parseArgs({
  allowPositionals: true,
  options: { json: { type: 'boolean', default: false } },
});
const unknown = positionals.filter((name) => !rowNames.includes(name));
if (unknown.length > 0) {
  console.error(`Unknown row: ${unknown.join(', ')}. Use any of: ${rowNames.join(', ')}.`);
  process.exit(1);
}
const folder = await installClients();
const errors = await checkTypes(folder);
console.log(`${errors.length === 0 ? 'ok    ' : 'FAILED'}  types of the recipes`);
for (const error of errors) console.log(`         ${error}`);

console.log(HEADING);
const results: RowResult[] = [];
for (const name of positionals.length > 0 ? positionals : rowNames) {
  const result = await runRow(folder, name);
  results.push(result);
  console.log(renderRow(result));
}
const failed = results.filter(({ problems }) => problems.length > 0).length + (errors.length > 0 ? 1 : 0);
console.log(`${results.length + 1 - failed} passed, ${failed} failed`);
if (options.json) console.log(JSON.stringify(results));
if (failed > 0) process.exitCode = 1;
