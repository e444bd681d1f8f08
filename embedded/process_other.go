//go:build !linux

package embedded

import "syscall"

// childAttributes puts a child into its own process group, under credential if that is not nil. This system sends no
// death signal: a child outlives a killed parent until the next start stops it.
func childAttributes(credential *syscall.Credential, _ syscall.Signal) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Credential: credential}
}
