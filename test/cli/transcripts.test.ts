import { playTranscripts } from "./transcripts.js";

playTranscripts("transcripts/");
