import { Finder, formNames, type Leak } from './marks';
import { Outputs, WAYS } from './outputs';
import { endpointScenes } from './scenes-endpoints';
import { misuseScenes } from './scenes-misuse';
import { mysqlScenes } from './scenes-mysql';
import { redisScenes } from './scenes-redis';
import { resourceScenes } from './scenes-resources';
import { tokenScenes } from './scenes-tokens';
import { valueScenes } from './scenes-values';
import { showChannels } from './stage';
import { marks } from './values';

const started = performance.now();
const finder = new Finder(Object.values(marks));

/** Returns what the search does not find although it is there. */
function missedPlants(): string[] {
  const missed: string[] = [];
  const same = (leak: Leak) => (found: Leak) => found.label === leak.label && found.form === leak.form;
  for (const { leak, text } of finder.planted())
    if (!finder.find(text).some(same(leak))) missed.push(`${leak.label}, ${leak.form}`);

  // Each way to print has to find a value that is in plain sight for it.
  const planted = new Outputs();
  const { value } = marks.badText;
  planted.show('planted', { token: value });
  planted.show('planted bytes', { bytes: Buffer.from(value), list: [...Buffer.from(value)] });
  planted.error('planted error', new Error('refused', { cause: new Error(value) }));
  process.stderr.write(`${value}\n`);
  planted.stop();
  const blind = (name: string) =>
    !planted.all.some((output) => output.name.includes(name) && finder.find(output.text).length > 0);
  const ways = Object.keys(WAYS).filter((way) => way !== 'String' && way !== 'template literal');
  missed.push(...[...ways, 'message, stack', 'stderr', 'inspector'].filter(blind));
  return missed;
}

const missed = missedPlants();
const outputs = new Outputs();
const stopChannels = showChannels(outputs);
process.on('unhandledRejection', (error) => outputs.error('unhandled rejection', error));
const trouble: string[] = [];
for (const scenes of [
  valueScenes,
  endpointScenes,
  resourceScenes,
  redisScenes,
  mysqlScenes,
  tokenScenes,
  misuseScenes,
]) {
  try {
    await scenes(outputs);
  } catch (error) {
    trouble.push(`${scenes.name} failed: ${(error as Error).stack}`);
  }
}
await new Promise((resolve) => setTimeout(resolve, 50));
stopChannels();
outputs.stop();

const collected = performance.now();
const checked = new Map<string, Leak[]>();
const leaks = new Map<string, number>();
for (const { name, text } of outputs.all) {
  const found = checked.get(text) ?? finder.find(text);
  checked.set(text, found);
  for (const { label, form } of found) {
    const line = `${name}: ${label}, ${form}`;
    leaks.set(line, (leaks.get(line) ?? 0) + 1);
  }
}
for (const [line, count] of leaks) console.log(`LEAK ${count} x ${line}`);
for (const line of [...missed.map((one) => `SELF-CHECK does not find: ${one}`), ...trouble])
  console.log(line);
const seconds = (from: number, to: number) => `${((to - from) / 1000).toFixed(1)} s`;
const scenes = new Set(outputs.all.map(({ name }) => name.split(': ')[0]));
const bytes = outputs.all.reduce((total, { text }) => total + text.length, 0);
console.log(
  [
    `${Object.keys(marks).length} values, ${formNames.length} forms: ${formNames.join(', ')}`,
    `${finder.planted().length} planted leaks, ${missed.length} not found`,
    `${scenes.size} scenes, ${Math.round(bytes / 1e6)} MB, ${checked.size} different texts`,
    `${seconds(started, collected)} to collect, ${seconds(collected, performance.now())} to search`,
    `${outputs.all.length} outputs, ${leaks.size} leaks`,
  ].join('\n'),
);
process.exit(leaks.size + missed.length + trouble.length === 0 ? 0 : 1);
