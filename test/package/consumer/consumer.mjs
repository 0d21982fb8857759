import * as main from 'hot-secrets';
import * as express from 'hot-secrets/express';
import * as endpoints from 'hot-secrets/http';
import * as https from 'hot-secrets/https';
import * as adapter from 'hot-secrets/pg';
import * as testing from 'hot-secrets/testing';
import * as tls from 'hot-secrets/tls';
import pg from 'pg';
import { scenario } from './scenario.cjs';

await scenario({ main, express, endpoints, https, pg: adapter, testing, tls }, pg);
console.log('ok');
