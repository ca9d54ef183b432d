// Reads names of files, one a line, and says of each whether it is JSON to Node: "yes" or "no".
'use strict';
const fs = require('fs');

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });

function verdict(file) {
  try {
    JSON.parse(utf8.decode(fs.readFileSync(file)));
    return 'yes';
  } catch {
    return 'no';
  }
}

const files = fs.readFileSync(0, 'utf8').split('\n').filter(Boolean);
process.stdout.write(files.map((file) => verdict(file) + '\n').join(''));
