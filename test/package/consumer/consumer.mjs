import * as main from 'hot-secrets';
import * as express from 'hot-secrets/express';
import * as health from 'hot-secrets/health';
import * as https from 'hot-secrets/https';
import * as adapter from 'hot-secrets/pg';
import * as status from 'hot-secrets/status';
import * as testing from 'hot-secrets/testing';
import * as tls from 'hot-secrets/tls';
import * as triggers from 'hot-secrets/triggers';
import pg from 'pg';
import { scenario } from './scenario.cjs';

await scenario({ main, express, health, https, pg: adapter, status, testing, tls, triggers }, pg);
console.log('ok');
