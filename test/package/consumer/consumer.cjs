'use strict';
const main = require('hot-secrets');
const adapter = require('hot-secrets/pg');
const testing = require('hot-secrets/testing');
const pg = require('pg');
const { scenario } = require('./scenario.cjs');

scenario({ main, pg: adapter, testing }, pg).then(() => console.log('ok'));
