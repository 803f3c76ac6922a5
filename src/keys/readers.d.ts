/** The readers of keys (lazily.ts), in one file that nothing but import() leads to and that imports nothing; the build makes it. */
declare const make: (lent: object) => typeof import("./lazily.js");
export default make;
