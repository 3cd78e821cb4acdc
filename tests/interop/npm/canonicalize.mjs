// node canonicalize.mjs < any.json: its RFC 8785 form.

import {readFileSync} from 'node:fs';
import canonicalize from 'canonicalize';

process.stdout.write(canonicalize(JSON.parse(readFileSync(0, 'utf8'))));
