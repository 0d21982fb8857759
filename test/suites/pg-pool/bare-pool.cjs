module.exports = require('pg').Pool;
