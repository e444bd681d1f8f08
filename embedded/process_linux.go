package embedded

import "syscall"

// childAttributes puts a child into its own process group, under credential if that is not nil, and has the kernel send
// it death when this process is gone.
func childAttributes(credential *syscall.Credential, death syscall.Signal) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Credential: credential, Pdeathsig: death}
}
