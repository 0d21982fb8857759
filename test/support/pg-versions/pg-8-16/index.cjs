module.exports = require('pg');
