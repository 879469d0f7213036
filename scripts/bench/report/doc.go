// Package report is what a bench found: figures with their goals, in sections, one for
// each thing that was measured, and how they are written for people and for machines.
//
// Its types are values; nothing here runs.
package report
