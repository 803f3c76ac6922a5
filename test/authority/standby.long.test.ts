import { promoteStandbys } from "./standby.js";

promoteStandbys(Number(process.env.TWINWRAP_PROMOTIONS ?? 10));
