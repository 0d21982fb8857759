import * as main from 'hot-secrets';
import * as adapter from 'hot-secrets/pg';
import * as testing from 'hot-secrets/testing';
import pg from 'pg';
import { scenario } from './scenario.cjs';

await scenario({ main, pg: adapter, testing }, pg);
console.log('ok');
