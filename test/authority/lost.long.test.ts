import { cutConnections } from "./lost.js";

// Every message with TWINWRAP_EVERY_MESSAGE=1, as before a release.
cutConnections(process.env.TWINWRAP_EVERY_MESSAGE === undefined ? 13 : 1);
