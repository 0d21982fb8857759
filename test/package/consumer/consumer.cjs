'use strict';
const main = require('hot-secrets');
const express = require('hot-secrets/express');
const health = require('hot-secrets/health');
const https = require('hot-secrets/https');
const adapter = require('hot-secrets/pg');
const status = require('hot-secrets/status');
const testing = require('hot-secrets/testing');
const tls = require('hot-secrets/tls');
const triggers = require('hot-secrets/triggers');
const pg = require('pg');
const { scenario } = require('./scenario.cjs');

scenario({ main, express, health, https, pg: adapter, status, testing, tls, triggers }, pg).then(() =>
  console.log('ok'),
);
