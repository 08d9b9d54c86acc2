@echo off
rem The command line of the packaged Quantscope.
"%~dp0..\..\Quantscope.exe" --log-level=3 --command-line -- %*
