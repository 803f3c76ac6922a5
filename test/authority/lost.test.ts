import { cutConnections } from "./lost.js";

cutConnections(37);
