// start.js as an ES module.
import './start.js';
