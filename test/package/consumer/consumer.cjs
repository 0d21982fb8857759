'use strict';
const main = require('hot-secrets');
const express = require('hot-secrets/express');
const endpoints = require('hot-secrets/http');
const https = require('hot-secrets/https');
const adapter = require('hot-secrets/pg');
const testing = require('hot-secrets/testing');
const tls = require('hot-secrets/tls');
const pg = require('pg');
const { scenario } = require('./scenario.cjs');

scenario({ main, express, endpoints, https, pg: adapter, testing, tls }, pg).then(() => console.log('ok'));
