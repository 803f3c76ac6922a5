import { promoteStandbys } from "./standby.js";

promoteStandbys(2);
