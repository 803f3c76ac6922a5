import { playTranscripts } from "./transcripts.js";

// Every command by itself, and what is refused or odd and how it is said.
playTranscripts("transcripts/long/");
playTranscripts("transcripts/odd/");
