package main

type evalCmd struct {
	Classifier evalClassifierCmd `cmd:"" help:"Judge the classifier's model on labelled prompts."`
}
