import { startPostgres } from '../postgres';

// A test starts and kills this process.
const server = await startPostgres();
process.stdout.write(`${JSON.stringify({ port: server.port })}\n`);
setInterval(() => {}, 60_000);
