import { playTranscripts } from "./transcripts.js";

// What is refused or odd, and how it is said.
playTranscripts("transcripts/odd/");
