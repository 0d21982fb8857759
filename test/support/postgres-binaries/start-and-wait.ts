import { startPostgres } from '../postgres';

// Started by a test, which kills it.
const server = await startPostgres();
process.stdout.write(`${JSON.stringify({ port: server.port })}\n`);
setInterval(() => {}, 60_000);
